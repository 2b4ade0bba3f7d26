"""kprob's speed and memory, measured beside its peers in the same run.

`python -m benchmarks` runs every case and prints one table; `python -m benchmarks a c` runs two.

    __main__.py      the command: which cases to run, the table, the verdict on each bar
    table.py         rows, ratios, bars
    contest.py       starts one process per contestant and measures them in turn
    contestant.py    what runs in such a process
    problems.py      the problems' sizes and data, the same for everybody
    vae_epoch.py     case (a), an epoch of a variational autoencoder
    normal_model.py  case (b), a small model's fit
    first_result.py  case (c), the wait for the first result of both
    import_time.py   case (d), `import kprob`
    streaming.py     case (e), speed and memory on a stream
    iwae.py          case (f), an importance weighted autoencoder
    enumeration.py   case (g), a mixture with its labels summed out
    samplers.py      case (h), five posteriors: effective draws per second, and the wait for the first 400
    effective.py     how many effective draws there are, counted the same way for everybody
    ours/            the problems written with kprob
    peers/           the same in Keras + TFP, Pyro and NumPyro, as a good user would write them

To add a peer, write a module with `prepare()` and `first_result()` (see `contestant.py`) and name
it in the case's file.
"""
