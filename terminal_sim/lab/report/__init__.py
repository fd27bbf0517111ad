"""Reports of played scenarios and of explorations: a page, a JSON, scenario files to replay, a few lines on a terminal.

    write(folder, runs) -> folder/index.html         report.json, scenarios/*.toml
    write_exploration(folder, exploration_shape(found))  exploration.json, findings/*.toml
    summary([run_shape(run) …], console)             on the terminal

A page holds its style and its script, and fetches nothing. shape.py says what the JSON holds.
"""

from terminal_sim.lab.report.explored import exploration_shape as exploration_shape
from terminal_sim.lab.report.machine import run_shape as run_shape
from terminal_sim.lab.report.summary import summary as summary
from terminal_sim.lab.report.summary import summary_exploration as summary_exploration
from terminal_sim.lab.report.writing import write as write
from terminal_sim.lab.report.writing import write_exploration as write_exploration
