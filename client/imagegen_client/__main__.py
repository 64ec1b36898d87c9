"""`python -m imagegen_client` is the command `imagegen`."""

from imagegen_client.command_line.program import run

if __name__ == "__main__":
    run()
