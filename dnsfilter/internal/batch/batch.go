// Package batch reads and writes UDP datagrams in batches. One goroutine reads many sockets. On Linux, one system call
// (recvmmsg, sendmmsg) reads or writes many datagrams.
package batch

// Size is the maximum number of datagrams in a batch.
const Size = 64

// MaxDatagram is the maximum size of a received datagram, in bytes. Longer datagrams are ignored.
const MaxDatagram = 4096
