"""Programs that a page starts use the ports that stand for those of the page."""

import importlib.util
import pathlib

path = pathlib.Path(__file__).parents[1] / "page_ports.py"
spec = importlib.util.spec_from_file_location("page_ports", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.redirect()
