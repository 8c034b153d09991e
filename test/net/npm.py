"""Packages of npm for tests: fetched once per user and machine; where npm is not there or reaches nothing, the test is skipped."""
import os
import shutil
import subprocess
import tempfile


def folder_with(test, package):
    """A folder in which `require` finds a package, given as `name@version`. A script that needs it belongs there, or is run from there."""
    if not (shutil.which("node") and shutil.which("npm")):
        test.skipTest("no node and npm here")
    name = package.rsplit("@", 1)[0]
    folder = os.path.join(tempfile.gettempdir(), "godwit-npm-%d" % os.getuid(), name)
    os.makedirs(folder, exist_ok=True)
    if not os.path.isfile(os.path.join(folder, "node_modules", name, "package.json")):
        try:
            got = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", folder, package], capture_output=True, text=True,
                                 timeout=180)
        except subprocess.TimeoutExpired:
            test.skipTest("npm does not get %s in 180 s" % package)
        if got.returncode != 0:
            test.skipTest("npm cannot install %s: %s" % (package, got.stderr[-200:]))
    return folder
