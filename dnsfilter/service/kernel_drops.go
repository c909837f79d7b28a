package service

import (
	"bufio"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

// maxSocketTable is the maximum size of the system's table of UDP sockets that is read, in bytes.
const maxSocketTable = 16 << 20

// socketInodes returns the set of the inode numbers of sockets, as decimal texts. They identify open sockets in the
// system's table.
func socketInodes(sockets []*net.UDPConn) map[string]bool {
	inodes := make(map[string]bool)
	for _, s := range sockets {
		if inode, ok := socketInode(s); ok {
			inodes[strconv.FormatUint(inode, 10)] = true
		}
	}
	return inodes
}

// kernelDrops returns the number of datagrams that the system dropped before they were read from the sockets with these
// inodes, mostly because a receive buffer was full. The result known is false if the system does not report drops.
// Linux counts them per socket (proc_pid_net(5)).
func kernelDrops(inodes map[string]bool) (n uint64, known bool) {
	if len(inodes) == 0 {
		return 0, false
	}
	for _, path := range []string{"/proc/self/net/udp", "/proc/self/net/udp6"} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		drops, found := readDrops(f, inodes)
		n, known = n+drops, known || found
		_ = f.Close() // it was only read
	}
	return n, known
}

// readDrops returns the sum of the drops of the sockets with these inodes in a table. The result found is false if the
// table has none of them.
func readDrops(table io.Reader, inodes map[string]bool) (n uint64, found bool) {
	const inode, drops = 9, 12
	for s := bufio.NewScanner(io.LimitReader(table, maxSocketTable)); s.Scan(); {
		columns := strings.Fields(s.Text())
		if len(columns) <= drops || !inodes[columns[inode]] {
			continue
		}
		if d, err := strconv.ParseUint(columns[drops], 10, 64); err == nil {
			n, found = n+d, true
		}
	}
	return n, found
}
