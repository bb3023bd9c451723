"""One page out of a run's evidence: ``python -m reports build`` reads files and writes files, nothing else.

The package knows the two file formats of a run and nothing of what made them: it imports neither torch nor the
suite. Evidence is untrusted input; ``untrusted``, ``records``, ``benchmarks`` and ``runs`` say how it is read.
``build`` writes ``index.html`` (the page), ``summary.md`` (the same in brief), ``samples.csv`` (one line a benchmark
sample) and ``results.json``; ``merge`` does the same for runs from several machines, grouped by environment;
``compare`` says what differs between two ``results.json``.

``results.schema.json`` beside this file is the JSON Schema of **results.json**. Keys are sorted, each record of a
list is one line, times are those of the evidence, and a number that is not finite is ``null``.

==================  ============================================================================================
key                 value
==================  ============================================================================================
schema_version      1; raised when a reader of the old form would misread the new one
verdict             ``answer`` and ``sentence`` as the page says them, ``tone`` (good, part, bad), ``counts`` by
                    status, ``complete`` (every run reached its end), ``unchecked`` (subjects of which no row tells
                    anything), ``speed`` (the sentence on throughput)
environments        one for ``build``, one or more for ``merge``: id (e1, e2, …), name, ``environment`` (torch, build
                    flags, CPU with its ISA, devices, threads, versions, commit), ``bench_environment`` (that of the
                    benchmarks; ``null`` where nothing but the machine's load differs), ``verdict`` of this place,
                    ``runs`` (files, run, started, finished, complete, cut_off, split (the shards of a run on
                    several machines), exitstatus, peak_mib (the most memory that its processes took), profile, seed,
                    arguments, subjects), ``benchmarks`` (file, datetime)
results             a row per law × operator × subject: environment (an id), law, title, operator, subject, device,
                    dtype, systems, status, reason, cases, known, comparisons, exact, bounded, vacuous, worst_share
                    (error ÷ bound), worst_case, message, severity, repro, upstream, test, seconds, raised,
                    compilations
faults              a row per planted fault × subject: environment, name, law, operator, subject, caught, cases,
                    correct (a correct kernel, which must not be caught), message
benchmarks          environment, file, name, fullname, kind, systems, ``samples`` in seconds, ``median``, and
                    ``extra_info`` as recorded
references          environment, operation, shape, ``loops`` and ``chapter`` (medians in seconds), ``ratio``
                    chapter ÷ loops
systems             S1–S24: id, title, formula, source, status, ``counts`` by status, laws, cases, ``measured``
                    (benchmarks)
figures             environment, name, subject, data
not_run             reason, ``rows`` (how many), subjects, laws, benchmarks
skipped             what could not be read or was mended: file, line (or ``null``), problem
==================  ============================================================================================

``status`` is one of ``diverged``, ``error``, ``known``, ``vacuous``, ``passed``, ``not run``; a system may also be
``measured`` (benchmarks alone speak of it) or ``not run (no evidence)``.
"""
