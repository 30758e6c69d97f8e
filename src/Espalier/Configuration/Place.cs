namespace Espalier.Configuration;

/// <summary>Where a part of a config file was written: a line of a file, or the command line.</summary>
/// <param name="Source">The file as the user named it.</param>
/// <param name="Line">From 1; 0 for the source as a whole.</param>
internal readonly record struct Place(string Source, int Line)
{
    public static readonly Place CommandLine = new("command line", 0);

    public override string ToString() => Line > 0 ? $"{Source}:{Line}" : Source;
}
