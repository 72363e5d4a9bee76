from nextchar_training.text import shakespeare

_MARKDOWN = """# Hamlet

## ACT I

### SCENE I. Elsinore.

_Enter to him BERNARDO_

**BERNARDO**\x20\x20
Who's there?\x20\x20
_\\[Aside]_\x20\x20
Stand.

**ROSENCRANTZ: & GUILDENSTERN:**\x20\x20
Well\\-met.

**Ghost**\x20\x20
**of CLARENCE**\x20\x20
& c.
"""


def test_markdown_becomes_speakers_and_lines() -> None:
    assert shakespeare.render_markdown(_MARKDOWN) == (
        "Hamlet\n\nACT I\n\nSCENE I. Elsinore.\n\nEnter to him BERNARDO\n\n"
        "BERNARDO:\nWho's there?\n[Aside]\nStand.\n\n"
        "ROSENCRANTZ & GUILDENSTERN:\nWell-met.\n\n"
        "Ghost of CLARENCE:\n&c.\n\n"
    )
