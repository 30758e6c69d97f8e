namespace Espalier.Reporting;

/// <summary>A table as texts, for a terminal or a page to draw.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="Columns">The heads of the columns; the first column holds names, the others figures.</param>
/// <param name="Rows">A text a column.</param>
public sealed record TextTable(string Title, IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Rows);
