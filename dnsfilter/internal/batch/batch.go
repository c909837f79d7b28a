// Package batch reads and writes UDP datagrams in batches: those of many sockets in one goroutine, and many with one
// system call (recvmmsg, sendmmsg), where the system can do so.
package batch

// Size is the largest number of datagrams of a batch.
const Size = 64

// MaxDatagram is the longest datagram that is read, in bytes; longer ones are ignored.
const MaxDatagram = 4096
