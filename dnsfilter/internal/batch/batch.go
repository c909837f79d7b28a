// Package batch reads and writes UDP datagrams: those of many sockets in one goroutine, and many with one system call, where
// the system can do so.
package batch

// Size is how many datagrams are moved at once at most.
const Size = 64

// MaxDatagram is the longest datagram that is read, in bytes; longer ones are passed over.
const MaxDatagram = 4096
