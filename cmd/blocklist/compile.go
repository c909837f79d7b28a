package main

import (
	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) compileList() *cobra.Command {
	var in input
	var out, name string
	cmd := &cobra.Command{
		Use:   "compile FILE|DIR -o SET",
		Short: "Compile a list into one file that programs look things up in, without a store",
		Long: `Compile a list into one file, the set, which programs search without a store. The list is a file of any format, an agency's
folder, or a folder that pull has written. - is standard input. SET is replaced atomically: it is the old file or the new one.

In a Go program, blocklist.OpenSet opens the set. lookup, squid and icap take it in place of a list. It has about 20 bytes
per entry. It is not signed: ship it only as a part of the program that uses it.`,
		Example: `  blocklist compile hosts.txt -o hosts.set
  blocklist compile DIR -o csam.set
  blocklist lookup hosts.set www.example.com`,
		Args: args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.openEntries(cmd.Context(), &in, args[0])
			if err != nil {
				return err
			}
			defer l.done()
			if name != "" {
				l.name = name
			}
			if err := blocklist.CheckListName(l.name); err != nil {
				return usage("%w", err)
			}
			return a.compileTo(out, l)
		},
	}
	in.flags(cmd, "format")
	cmd.Flags().StringVarP(&out, "output", "o", "", "the `FILE` to write")
	cmd.Flags().StringVar(&name, "list", "", "the `NAME` of the list (default: that of the agency's folder, else local)")
	required(cmd, "output")
	return cmd
}

// compileTo compiles a list into a set in a file, and opens the set once to check it.
func (a *app) compileTo(path string, l namedEntries) error {
	if err := blocklist.BuildSet(path, l.name, l.entries); err != nil {
		return err
	}
	if l.report != nil {
		a.printReport(l.report())
	}
	set, err := blocklist.OpenSet(path)
	if err != nil {
		return err
	}
	a.result(fields{"file": path, "list": l.name, "entries": set.Info().Entries})
	a.printf("%s: %s of %s", path, plural(set.Info().Entries, "entry", "entries"), l.name)
	return nil
}
