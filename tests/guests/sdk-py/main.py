"""Runs the tests that lie beside it."""

import io
import unittest
from typing import Any

import test_types
from santokit import logic


@logic
def handle() -> Any:
    said = io.StringIO()
    suite = unittest.defaultTestLoader.loadTestsFromModule(test_types)
    result = unittest.TextTestRunner(said, verbosity=2).run(suite)
    return {"run": result.testsRun, "ok": result.wasSuccessful(), "said": said.getvalue()}
