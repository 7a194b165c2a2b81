"""``qa``, and ``python -m worker``."""

from qa_service.startup import quick_imports


def main() -> None:
    """Run the command of this process's arguments."""
    with quick_imports():
        from worker import cli
    cli.main()


if __name__ == "__main__":
    main()
