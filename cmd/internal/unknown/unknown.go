// Package unknown words the errors about commands, flags and arguments that a program does not have.
package unknown

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/argine-dns/argine/blocklist/nearest"
)

// NoArgs returns an error if there are arguments. For a command with subcommands, the first argument counts as the name
// of one, see [Command].
func NoArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasAvailableSubCommands():
		return Command(cmd, args[0])
	}
	return fmt.Errorf("%q is too much: %s takes no arguments, only flags", args[0], cmd.CommandPath())
}

// Command returns the error for a name that no subcommand of parent has. It suggests the subcommand that was probably
// meant. If no name is similar, it lists all subcommands, but not those of the program itself: the help of the program
// shows them in groups.
func Command(parent *cobra.Command, name string) error {
	var known []string
	for _, c := range parent.Commands() {
		if c.IsAvailableCommand() {
			known = append(known, c.Name())
		}
	}
	err := fmt.Errorf("%s has no command %q", parent.CommandPath(), name)
	if parent.HasParent() {
		return fmt.Errorf("%w; %s", err, nearest.Hint(name, known))
	}
	if near := nearest.Name(name, known); near != "" {
		return fmt.Errorf("%w; do you mean %s?", err, near)
	}
	return err
}

// Args returns a check of the number of arguments. A maximum below zero is no limit.
func Args(minimum, maximum int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < minimum:
			return fmt.Errorf("an argument is missing; it is %s", cmd.UseLine())
		case maximum >= 0 && len(args) > maximum:
			return fmt.Errorf("%q is too much; it is %s", args[maximum], cmd.UseLine())
		}
		return nil
	}
}

// Flag returns the error for a wrong flag of cmd. For one that cmd does not have, it suggests what was probably meant.
func Flag(cmd *cobra.Command, err error) error {
	if lacking, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		kind, _ := pflag.UnquoteUsage(lacking.GetFlag())
		return fmt.Errorf("--%s needs a value: --%[1]s %s", lacking.GetFlag().Name, strings.ToUpper(kind))
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return badValue(bad)
	}
	wrong, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || wrong.GetSpecifiedShortnames() != "" {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	if near := nearest.Name(wrong.GetSpecifiedName(), known); near != "" {
		return fmt.Errorf("%w; do you mean --%s?", err, near)
	}
	return err
}

// badValue returns the error for a value that a flag does not take.
func badValue(bad *pflag.InvalidValueError) error {
	flag := bad.GetFlag()
	name := "--" + flag.Name
	if flag.Shorthand != "" {
		name = "-" + flag.Shorthand + ", " + name
	}
	var what string
	switch flag.Value.Type() {
	case "duration":
		what = "a duration with its unit is needed, such as 30s, 10m or 2h"
	case "int", "int64", "uint", "uint64":
		what = "a whole number is needed"
	case "bool":
		what = "it is true or false"
	default:
		return fmt.Errorf("%s %.100q: %w", name, bad.GetValue(), bad.Unwrap())
	}
	return fmt.Errorf("%s %.100q: %s", name, bad.GetValue(), what)
}

// Strict makes the commands help and completion of a program fail for names that it does not have, with an error that
// the function wrong makes of another. cobra shows a help for them, and the exit code is 0.
func Strict(root *cobra.Command, wrong func(*cobra.Command, error) error) {
	root.InitDefaultHelpCmd()
	help, _, _ := root.Find([]string{"help"})
	show := help.Run
	help.Run, help.RunE = nil, func(cmd *cobra.Command, args []string) error {
		if found, rest, err := root.Find(args); err != nil {
			return wrong(cmd, err)
		} else if len(rest) > 0 && found.HasAvailableSubCommands() {
			return wrong(found, Command(found, rest[0]))
		}
		show(cmd, args)
		return nil
	}
	root.InitDefaultCompletionCmd()
	completion, _, _ := root.Find([]string{"completion"})
	completion.RunE = func(cmd *cobra.Command, args []string) error {
		if err := NoArgs(cmd, args); err != nil {
			return wrong(cmd, err)
		}
		return cmd.Help()
	}
	completion.Args = cobra.ArbitraryArgs
}
