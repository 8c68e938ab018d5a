"""What the programs of the bench that measure on command have in common: names of measures come in, a line of JSON goes out."""

import gc
import json
import sys
import time


def answer_all(measure):
    """Answers each name of standard input with the seconds that `measure` gives for it, until the input ends."""
    for line in sys.stdin:
        name = line.strip()
        try:
            answer = {"name": name, "seconds": measure(name)}
        except Exception as error:  # Whatever it is, the other side is waiting for a line.
            answer = {"name": name, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def seconds_of(prepare, run):
    """The seconds of `run`, or those that it returns if it takes its own time. `prepare` comes before the clock starts."""
    prepare()
    gc.collect()
    start = time.perf_counter()
    result = run()
    # Freeing the result is not part of them.
    seconds = time.perf_counter() - start
    return result if isinstance(result, float) else seconds
