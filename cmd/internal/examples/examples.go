// Package examples checks the examples in the help of a program, for its tests.
package examples

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// Check returns an error for each example in the help of a program that the program would refuse: an unknown command or
// flag, a bad value, a wrong number of arguments. Lines for other programs count as right. The function newRoot returns
// the program's commands, without values of earlier flags. Check also returns an error for each command without an
// example, except those of cobra.
func Check(newRoot func() *cobra.Command) (errs []error) {
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			return
		}
		if cmd.Example == "" && cmd.Runnable() {
			errs = append(errs, fmt.Errorf("%s has no example", cmd.CommandPath()))
		}
		for line := range strings.Lines(cmd.Example) {
			if err := parses(newRoot(), line); err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: %w", cmd.CommandPath(), strings.TrimSpace(line), err))
			}
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(newRoot())
	return errs
}

// word matches a word of a command line for a shell.
var word = regexp.MustCompile(`(?:[^\s'"]|'[^']*'|"[^"]*")+`)

// parses returns the error with which a program refuses a command line. What follows a redirection is not a part of it.
func parses(root *cobra.Command, line string) error {
	line, _, _ = strings.Cut(line, " #")
	var args []string
	for _, w := range word.FindAllString(line, -1) {
		if strings.ContainsAny(w[:1], "<>|&") {
			break
		}
		args = append(args, strings.NewReplacer(`'`, "", `"`, "").Replace(w))
	}
	if len(args) == 0 || args[0] != root.Name() {
		return nil
	}
	cmd, rest, err := root.Find(args[1:])
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	return err
}
