"""One page out of a run's evidence: ``python -m reports build`` reads files and writes files, nothing else.

The package knows the two file formats of a run and nothing of what made them: it imports neither torch nor the
suite. Evidence is untrusted input; ``untrusted`` and ``load`` say how it is read. ``build`` writes ``index.html``
(the page), ``summary.md`` (the same in brief), ``samples.csv`` (one line a benchmark sample) and ``results.json``.

**results.json**, schema_version 1; keys are sorted, times are those of the evidence, and a number that is not
finite is ``null``.

==================  ============================================================================================
key                 value
==================  ============================================================================================
schema_version      1; raised when a reader of the old form would misread the new one
verdict             ``answer`` and ``sentence`` as the page says them, ``tone`` (good, part, bad), ``counts`` by
                    status, ``complete`` (the run reached its end), ``unchecked`` (subjects of which no row tells
                    anything), ``speed`` (the sentence on throughput)
environment         what was checked: torch, build flags, CPU with its ISA, devices, threads, versions, commit
bench_environment   the same of the benchmark run; ``null`` where nothing but the machine's load differs
sources             ``properties``: file, started, finished, complete, exitstatus, profile, seed, arguments,
                    subjects; ``benchmarks``: file, datetime; either is ``null`` when there was none
results             a row per law × operator × subject: law, title, operator, subject, device, dtype, systems,
                    status, reason, cases, comparisons, exact, bounded, vacuous, worst_share (error ÷ bound),
                    worst_case, message, test, seconds
benchmarks          name, fullname, kind, systems, ``samples`` in seconds, ``median``, and ``extra_info`` as recorded
references          operation, shape, ``loops`` and ``chapter`` (medians in seconds), ``ratio`` chapter ÷ loops
systems             S1–S24: id, title, source, status, ``counts`` by status, laws, cases, ``measured`` (benchmarks)
figures             name, subject, data
not_run             reason, ``rows`` (how many), subjects, laws, benchmarks
skipped             what could not be read: file, line (or ``null``), problem
==================  ============================================================================================

``status`` is one of ``diverged``, ``error``, ``known``, ``vacuous``, ``passed``, ``not run``; a system may also be
``measured`` (benchmarks alone speak of it) or ``not run (no evidence)``.
"""
