"""The engine: carries out what procedures ask for, many tickets at a time.

It is handed the procedures and knows none itself.
"""
