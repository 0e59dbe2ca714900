"""One environment and one runner per peer. A runner reads a train table, writes a synthetic one, prints its cost.

    python -m bench.peers.environment synthpop_py      # makes .venv-peers/synthpop_py from synthpop_py.txt
    python -m bench.quality --tables actg175 --generators "trees;peer/synthpop_py"

Peers are never imported by Twinset and their licences do not reach it. R's synthpop is not here: its figures were
measured once and stand in the documentation.
"""
