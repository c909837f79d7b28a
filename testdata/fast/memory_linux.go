package fast

import "syscall"

// memory returns a folder in memory with at least 1 GiB of free space, from which programs may be started. It returns
// an empty string if there is none, as in many containers.
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
