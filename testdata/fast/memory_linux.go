package fast

import "syscall"

// memory returns a folder in memory with a GB of room, where programs may be started; empty if there is none. In
// containers such a folder is often small, and programs may not be started there.
func memory() string {
	const (
		dir    = "/dev/shm"
		tmpfs  = 0x01021994
		noExec = 8
		enough = 1 << 30
	)
	var s syscall.Statfs_t
	err := syscall.Statfs(dir, &s)
	if err != nil || s.Type != tmpfs || s.Flags&noExec != 0 || s.Bavail*uint64(s.Bsize) < enough {
		return ""
	}
	return dir
}
