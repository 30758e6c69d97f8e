namespace Espalier.Cli;

/// <summary><c>espalier data</c>.</summary>
internal static class DataCommand
{
    public static VerbGroup Create() => new("data", "Fetches text, and prepares it for training.")
    {
        new VerbGroup("fetch", "Fetches a corpus to try things on.") { FetchCommand.Sotu(), FetchCommand.Books() },
        PrepareCommand.Create(),
    };
}
