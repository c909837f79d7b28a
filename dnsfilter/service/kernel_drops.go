package service

import (
	"bufio"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

// maxSocketTable is the maximum size of the system's table of UDP sockets, in bytes.
const maxSocketTable = 16 << 20

// socketInodes returns the inode numbers of sockets, which identify them in the system's table as long as they are
// open.
func socketInodes(sockets []*net.UDPConn) map[string]bool {
	inodes := make(map[string]bool)
	for _, s := range sockets {
		if inode, ok := socketInode(s); ok {
			inodes[strconv.FormatUint(inode, 10)] = true
		}
	}
	return inodes
}

// kernelDrops returns the number of datagrams that the system has dropped before they could be read from these sockets,
// mostly because a receive buffer was full. It returns false if the system does not report them. Linux counts drops by
// socket (proc_pid_net(5)).
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

// readDrops sums the drops of the sockets with these inodes in the table.
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
