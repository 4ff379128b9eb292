"""Runs the tests of a folder: run.py DIRECTORY. Ends with a line that tests/setup/summary.sh adds up; a skipped test fails."""

import sys
import unittest

folder = sys.argv[1]
sys.path.insert(0, folder)
suite = unittest.defaultTestLoader.discover(folder, top_level_dir=folder)
result = unittest.TextTestRunner(verbosity=2).run(suite)
failed = len(result.failures) + len(result.errors) + len(result.skipped) + len(result.unexpectedSuccesses)
good = failed == 0 and result.testsRun > 0
print(f"test result: {'ok' if good else 'FAILED'}. {result.testsRun - failed} passed; {failed} failed")
sys.exit(not good)
