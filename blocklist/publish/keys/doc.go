// Package keys makes and loads the keys of officers and subscribers. An officer's signing key is in a file, usually
// encrypted with a passphrase, or in the ssh-agent. A subscriber's identity is an age key that decrypts confidential
// lists.
//
// Any ed25519 [crypto.Signer] can be an officer's key. [PublicKey] returns its public half in the form that a list's
// root needs.
package keys
