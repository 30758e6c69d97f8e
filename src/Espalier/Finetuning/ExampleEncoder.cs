using Espalier.Data;

namespace Espalier.Finetuning;

/// <summary>An example as a model reads it.</summary>
/// <param name="Ids">Its tokens.</param>
/// <param name="TypeIds">The segment of each.</param>
/// <param name="Label">The id of its class or its score.</param>
internal sealed record EncodedExample(int[] Ids, int[] TypeIds, double Label);

/// <summary>Turns examples into tokens.</summary>
/// <param name="tokenizer">The model's.</param>
/// <param name="maxLength">The most tokens of an example.</param>
internal sealed class ExampleEncoder(Tokenizer tokenizer, int maxLength)
{
    /// <summary>Encodes examples; those that are too long are cut.</summary>
    /// <returns>The examples, and how many were cut.</returns>
    public (EncodedExample[] Examples, int Cut) Encode(IReadOnlyList<TaskExample> examples)
    {
        var encoded = new EncodedExample[examples.Count];
        int cut = 0;
        Parallel.For(0, examples.Count, i =>
        {
            encoded[i] = Encode(examples[i], out bool isCut);
            if (isCut)
            {
                Interlocked.Increment(ref cut);
            }
        });
        return (encoded, cut);
    }

    private EncodedExample Encode(TaskExample example, out bool isCut)
    {
        if (tokenizer.Sep is null && example.Pair is string pair)
        {
            return Joined(tokenizer.Encode(example.Text), tokenizer.Encode(pair), example.Label, out isCut);
        }

        EncodedText whole = tokenizer.EncodeForModel(example.Text, example.Pair);
        isCut = whole.Ids.Length > maxLength;
        EncodedText text = isCut ? tokenizer.EncodeForModel(example.Text, example.Pair, maxLength) : whole;
        return text.Ids.Length > 0
            ? new EncodedExample(text.Ids, text.TypeIds, example.Label)
            : new EncodedExample([Boundary], [0], example.Label);
    }

    /// <summary>
    /// Two texts for a model that knows no [SEP]: what stands between documents in training stands between them.
    /// The longer one is cut first, as Hugging Face does.
    /// </summary>
    private EncodedExample Joined(int[] first, int[] second, double label, out bool isCut)
    {
        int most = maxLength - 1;
        isCut = first.Length + second.Length > most;
        int firstLength = Math.Min(first.Length, Math.Max(most - second.Length, (most + 1) / 2));
        int secondLength = Math.Min(second.Length, most - firstLength);
        int[] ids = [.. first[..firstLength], Boundary, .. second[..secondLength]];
        return new EncodedExample(ids, new int[ids.Length], label);
    }

    private int Boundary => tokenizer.DocumentBoundary ?? throw new UserErrorException(
        $"The model's tokenizer has neither [SEP] nor {Tokenizer.EndOfTextToken} to stand between the texts of a pair, or for an empty text.",
        "Use a model whose tokenizer has one of them.");
}
