using System.Buffers;
using System.Text;

namespace Espalier.Data;

/// <summary>The tokens of some documents.</summary>
internal sealed record TokenizedBatch(
    List<int> Train, List<int> Valid, DatasetPart TrainPart, DatasetPart ValidPart, long BytesRead)
{
    public static TokenizedBatch Of(List<(Document Document, bool HeldOut)> documents, Tokenizer tokenizer)
    {
        List<int> train = [], valid = [];
        DatasetPart trainPart = DatasetPart.None, validPart = trainPart;
        foreach ((Document document, bool heldOut) in documents)
        {
            List<int> tokens = heldOut ? valid : train;
            int before = tokens.Count;
            if (!document.Continues)
            {
                tokens.Add(tokenizer.DocumentBoundary!.Value);
            }

            tokenizer.Encode(document.Text.Span, tokens);
            var part = new DatasetPart(
                document.Continues ? 0 : 1, tokens.Count - before, document.Text.Length, CountWords(document.Text.Span));
            (trainPart, validPart) = heldOut ? (trainPart, validPart + part) : (trainPart + part, validPart);
        }

        return new TokenizedBatch(train, valid, trainPart, validPart, documents[^1].Document.BytesRead);
    }

    /// <summary>The words of a text: what white space separates.</summary>
    public static long CountWords(ReadOnlySpan<byte> text)
    {
        long words = 0;
        bool inWord = false;
        while (Rune.DecodeFromUtf8(text, out Rune rune, out int width) == OperationStatus.Done)
        {
            bool space = Rune.IsWhiteSpace(rune);
            words += !space && !inWord ? 1 : 0;
            inWord = !space;
            text = text[width..];
        }

        return words;
    }
}
