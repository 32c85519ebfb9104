"""Console: the pages for finance staff and operators, and the JSON face beside them.

`routes` lists what there is and what each asks for; `visit` is the one way in; `scope` opens an organisation's rows;
`sign_in` knows who visits; `pages` and `api` answer.
"""

from consumer.console.application import create_application
from consumer.console.health import ConsoleHealth
from consumer.console.server import ConsoleServer

__all__ = ["ConsoleHealth", "ConsoleServer", "create_application"]
