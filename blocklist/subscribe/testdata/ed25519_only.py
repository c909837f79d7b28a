"""Plugin for pytest: the suite's repositories sign with ed25519 unless a test asks for another kind of key. Lists have
no other keys."""

from tuf_conformance._internal.repository_simulator import RepositorySimulator

RepositorySimulator.new_signer.__defaults__ = ("ed25519", "ed25519")
