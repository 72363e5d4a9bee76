"""Defines the panels of the engines: what they process, what waits for them, and how long their steps take."""

from operations.panel import Panel, mean, one_query, quantiles, rate, value

ENGINES: list[Panel] = [
    one_query(
        "Characters",
        "cps",
        "Characters that the models process per second, by kind.",
        "{{kind}}",
        rate("nextchar_chars_total", "kind"),
    ),
    Panel(
        "Queue time",
        "s",
        "Time that a request waits in the queue for its rows.",
        quantiles("nextchar_queue_duration_seconds", "model"),
    ),
    Panel(
        "Queue",
        "short",
        "Number of strings that wait for a row, and the largest number that may.",
        {
            "{{model}}": value("nextchar_queue_depth", "model"),
            "limit {{model}}": value("nextchar_queue_limit", "model"),
        },
    ),
    Panel(
        "Rows",
        "short",
        "Number of rows in use, and of rows that lanes can use.",
        {
            "{{model}}": value("nextchar_lanes_running", "model"),
            "limit {{model}}": value("nextchar_lanes_limit", "model"),
        },
    ),
    one_query(
        "Adaptive lanes",
        "short",
        "Number of rows in use by lanes that learn the text they read.",
        "{{model}}",
        value("nextchar_adaptive_lanes", "model"),
    ),
    Panel(
        "Adaptive tables",
        "bytes",
        "Size of the tables of adaptive lanes, of those that are kept, and the most that both may have.",
        {
            "{{model}}": value("nextchar_adaptive_table_bytes", "model"),
            "hot {{model}}": value("nextchar_adaptive_hot_table_bytes", "model"),
            "limit {{model}}": value("nextchar_adaptive_table_limit_bytes", "model"),
        },
    ),
    one_query(
        "Hot tables",
        "short",
        "Number of tables that are kept for adaptive lanes that go on.",
        "{{model}}",
        value("nextchar_adaptive_hot_tables", "model"),
    ),
    one_query(
        "Tables by origin",
        "cps",
        "Tables per second with which adaptive lanes go on; a hot one need not be built.",
        "{{origin}}",
        rate("nextchar_adaptive_tables_total", "origin"),
    ),
    one_query(
        "Batch size",
        "short",
        "Mean number of rows that a step advances.",
        "{{model}}",
        mean("nextchar_batch_size", "model"),
    ),
    Panel(
        "Batch wait",
        "s",
        "Time that rows wait for their next call of the graph, by level.",
        quantiles("nextchar_batch_wait_seconds", "level"),
    ),
    Panel(
        "Step time",
        "s",
        "Time of a step of the engine, by phase.",
        quantiles("nextchar_compute_duration_seconds", "phase"),
    ),
]
