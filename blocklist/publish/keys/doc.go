// Package keys makes and loads the keys of people and resolvers: an officer's signing key, in a file encrypted with a
// passphrase or in the ssh-agent, and the identity with which a subscriber opens confidential lists.
//
// Whatever signs with ed25519 as a [crypto.Signer] can be an officer's key; [PublicKey] writes the public half of one
// as the root of a list wants it.
package keys
