"""The parsers of bytes from outside, each with claims that hold whatever arrives.

`bench/fuzz.py` runs them under atheris, `tests/attacks/test_fuzzed.py` under hypothesis.
"""
