"""The engine: carries out what procedures ask for, many tickets at a time. It knows no procedure."""
