using Spectre.Console;

namespace Espalier.Cli;

/// <summary>Tables on stdout: as wide as the terminal, or as they need to be where a file or a pipe reads them.</summary>
internal static class Tables
{
    private const int Unlimited = 1000;

    /// <summary>An empty table; the first column holds names, the others figures.</summary>
    public static Table Of(IReadOnlyList<string> columns)
    {
        Table table = new Table().Border(TableBorder.Horizontal);
        for (int i = 0; i < columns.Count; i++)
        {
            TableColumn column = new TableColumn(Markup.Escape(columns[i])).Padding(0, 0, 1, 0);
            table.AddColumn(i == 0 ? column : column.RightAligned());
        }

        return table;
    }

    /// <summary>Prints a table to stdout, under a line that says what it is.</summary>
    public static void Print(string title, Table table)
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

        console.Write(table);
    }
}
