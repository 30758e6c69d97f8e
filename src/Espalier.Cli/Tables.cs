using Espalier.Reporting;
using Spectre.Console;

namespace Espalier.Cli;

/// <summary>Tables on stdout: as wide as the terminal, or as they need to be where a file or a pipe reads them.</summary>
internal static class Tables
{
    private const int Unlimited = 1000;

    /// <summary>Prints a table to stdout, under a line that says what it is.</summary>
    /// <param name="title">The line.</param>
    /// <param name="columns">The heads of the columns; the first column holds names, the others figures.</param>
    /// <param name="rows">A text a column.</param>
    public static void Print(string title, IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows)
    {
        Table table = new Table().Border(TableBorder.Horizontal);
        for (int i = 0; i < columns.Count; i++)
        {
            TableColumn column = new TableColumn(Markup.Escape(columns[i])).Padding(0, 0, 1, 0);
            table.AddColumn(i == 0 ? column : column.RightAligned());
        }

        foreach (IReadOnlyList<string> row in rows)
        {
            table.AddRow([.. row.Select(Markup.Escape)]);
        }

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

        console.Write(table);
    }

    /// <summary>Prints a table that has a title.</summary>
    public static void Print(TextTable table) => Print($"{table.Title}.", table.Columns, table.Rows);
}
