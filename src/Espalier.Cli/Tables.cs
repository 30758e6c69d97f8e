using Espalier.Reporting;
using Spectre.Console;

namespace Espalier.Cli;

/// <summary>Tables on stdout: as wide as the terminal, or as they need to be where a file or a pipe reads them.</summary>
internal static class Tables
{
    private const int Unlimited = 1000;

    // Between columns and at the edges, at most.
    private const int Gap = 2;

    /// <summary>Prints a table to stdout, under a line that says what it is.</summary>
    /// <param name="title">The line.</param>
    /// <param name="columns">The heads of the columns; the first column holds names, the others figures.</param>
    /// <param name="rows">A text a column.</param>
    public static void Print(string title, IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows)
    {
        Console.Out.WriteLine(title);
        // Made anew each time: Spectre's own holds on to the stdout of its first use.
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Console.Out),
            Ansi = Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect,
        });
        if (Console.IsOutputRedirected)
        {
            console.Profile.Width = Unlimited;
        }

        IReadOnlyList<string>[] all = [.. rows];
        foreach (int[] part in Parts(columns, all, console.Profile.Width))
        {
            Table table = new Table().Border(TableBorder.Horizontal);
            foreach (int i in part)
            {
                TableColumn column = new TableColumn(Markup.Escape(columns[i])).Padding(0, 0, 1, 0);
                table.AddColumn(i == 0 ? column : column.RightAligned().NoWrap());
            }

            foreach (IReadOnlyList<string> row in all)
            {
                table.AddRow([.. part.Select(i => Markup.Escape(row[i]))]);
            }

            console.Write(table);
        }
    }

    /// <summary>
    /// The columns of a table cut into parts that fit a width, each with the names before it: a figure that is broken over lines cannot
    /// be read.
    /// </summary>
    internal static IReadOnlyList<int[]> Parts(IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows, int width)
    {
        int[] needs = [.. columns.Select((head, i) => rows.Select(row => row[i].Length).Append(head.Length).Max() + Gap)];
        List<int[]> parts = [];
        List<int> part = [0];
        for (int i = 1; i < columns.Count; i++)
        {
            if (part.Count > 1 && part.Sum(column => needs[column]) + needs[i] > width)
            {
                parts.Add([.. part]);
                part = [0];
            }

            part.Add(i);
        }

        return [.. parts, [.. part]];
    }

    /// <summary>Prints a table that has a title.</summary>
    public static void Print(TextTable table) => Print($"{table.Title}.", table.Columns, table.Rows);
}
