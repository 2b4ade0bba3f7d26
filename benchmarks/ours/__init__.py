"""The benchmark problems written with kprob; each module runs in a process of its own."""
