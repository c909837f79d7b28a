package config

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// packagedUser is the user of the packaged service.
const packagedUser = "dnsfilter"

// unreadableHints returns a warning for each input file that the user of the service can't read, if that user is only
// guessed. If the user is known, it returns nil: see [Settings.CheckAccess].
func (s *Settings) unreadableHints() []string {
	u, known := s.serviceUser()
	paths, err := s.unreadable(u)
	switch {
	case err != nil:
		return []string{fmt.Sprintf("whether user %s can read the files is not known: %v", u.Username, err)}
	case known:
		return nil
	}
	return paths
}

// CheckAccess returns an error that names all input files that the user of the service, the owner of the state folder,
// can't read. It can only find that out as root; for other users it returns nil.
func (s *Settings) CheckAccess() error {
	u, known := s.serviceUser()
	if paths, err := s.unreadable(u); known && err == nil && len(paths) > 0 {
		return errors.New(strings.Join(paths, "\n"))
	}
	return nil
}

// unreadable returns a sentence for each input file that the user u can't read, or an error if the files could not be
// tried as that user. If u is nil, or if the caller is not root, it returns nil.
func (s *Settings) unreadable(u *user.User) (paths []string, err error) {
	if u == nil || os.Geteuid() != 0 {
		return nil, nil
	}
	err = asUser(u, func() {
		for _, path := range s.inputs() {
			if f, err := files.Open(path); err == nil {
				_ = f.Close() // it was only opened
			} else if errors.Is(err, os.ErrPermission) {
				paths = append(paths, fmt.Sprintf("%s can't be read by user %s, which dnsfilter runs as: chgrp %s and chmod 640 for a key, chmod 644 for all else",
					path, u.Username, u.Username))
			}
		}
	})
	return paths, err
}

// serviceUser returns the user that the service runs as: the owner of the state folder. Before the first start there is
// no such folder: then it returns the packaged user as a guess, and known is false. It returns nil if the user is root
// or can't be found out.
func (s *Settings) serviceUser() (u *user.User, known bool) {
	info, err := os.Stat(s.State)
	if err != nil {
		u, _ = user.Lookup(packagedUser)
		return u, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 {
		return nil, false
	}
	id, group := strconv.Itoa(int(st.Uid)), strconv.Itoa(int(st.Gid))
	if u, err = user.LookupId(id); err != nil {
		u = &user.User{Username: id, Uid: id, Gid: group}
	}
	return u, true
}

// asUser calls the function work with the file system rights of the user u. Only the thread that runs the function gets
// these rights, and that thread ends afterwards. An error means that the rights could not be set, and that the function
// was not called.
func asUser(u *user.User, work func()) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := setUser(u)
		if err == nil {
			work()
		}
		done <- err
	}()
	return <-done
}

func setUser(u *user.User) error {
	names, err := u.GroupIds()
	if err != nil {
		names = []string{u.Gid} // the user is not in the database
	}
	var groups []int
	for _, name := range append(names, u.Gid, u.Uid) {
		id, err := strconv.Atoi(name)
		if err != nil {
			return err
		}
		groups = append(groups, id)
	}
	uid, gid := groups[len(groups)-1], groups[len(groups)-2]
	return errors.Join(unix.Setgroups(groups[:len(groups)-1]), unix.Setfsgid(gid), unix.Setfsuid(uid))
}
