"""`python -m evergreen.ray_head start …`: the command `ray`, for a head node that listens on loopback alone.

Ray replaces 127.0.0.1 by the machine's outer address, so that other hosts can join, and then its parts listen on every
interface; no option changes that. A local stack has no other hosts.
"""

from __future__ import annotations

LOOPBACK = "127.0.0.1"


def main() -> None:
    """Run Ray's own command with the address left as it was given."""
    from ray._private import services
    from ray.scripts import scripts

    services.resolve_ip_for_localhost = lambda host: host
    services.get_node_ip_address = lambda address=None: LOOPBACK  # noqa: ARG005
    scripts.main()


if __name__ == "__main__":
    main()
