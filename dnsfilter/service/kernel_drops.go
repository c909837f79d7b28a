package service

import (
	"bufio"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

// maxSocketTable is how much is read of the table of all UDP sockets, in bytes.
const maxSocketTable = 16 << 20

// socketInodes returns the numbers by which the system's table of sockets knows some, as long as they are open here.
func socketInodes(sockets []*net.UDPConn) map[string]bool {
	inodes := make(map[string]bool)
	for _, s := range sockets {
		if inode, ok := socketInode(s); ok {
			inodes[strconv.FormatUint(inode, 10)] = true
		}
	}
	return inodes
}

// kernelDrops returns how many datagrams the system dropped before they were read from sockets, most often since a
// receive buffer was full; false where it does not say. Linux counts them by socket (proc_pid_net(5)).
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

// readDrops sums the column of drops up, of the sockets with some inodes.
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
