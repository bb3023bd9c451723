"""One page out of a run's evidence: ``python -m reports build`` reads files and writes files, nothing else.

The package knows the two file formats of a run and nothing of what made them: it imports neither torch nor the
suite. ``build`` writes ``index.html`` (the page), ``summary.md`` (the same in brief), ``samples.csv`` (one line a
benchmark sample) and ``results.json``; ``merge`` does the same for runs from several machines, grouped by environment;
``compare`` says what differs between two ``results.json``.

The rooms, each of which knows only those before it:

- ``read``: the evidence. It is untrusted input, held to ``read/evidence.schema.json``; what does not fit is named.
- ``tell``: what the evidence says, as plain data: the verdict, precision, speed, what changed.
- ``draw``: the page, its pictures and its texts.

``results.schema.json`` beside this file is the JSON Schema of results.json, and says what each of its keys means.
"""
