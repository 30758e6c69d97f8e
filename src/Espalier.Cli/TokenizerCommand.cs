namespace Espalier.Cli;

/// <summary><c>espalier tokenizer</c>.</summary>
internal static class TokenizerCommand
{
    public static VerbGroup Create() => new("tokenizer", "Trains a vocabulary, and turns text into token ids and back.")
    {
        TrainTokenizerCommand.Create(),
        EncodeCommand.Create(),
        DecodeCommand.Create(),
    };
}
