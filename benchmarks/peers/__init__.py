"""The benchmark problems in other libraries; each module runs in a process of its own."""
