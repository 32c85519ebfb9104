from tests.deploy.boards import BOARDS, FOLDER
from tests.deploy.grafana import render

for board in BOARDS:
    (FOLDER / f"{board.uid}.json").write_text(render(board), encoding="utf-8")
