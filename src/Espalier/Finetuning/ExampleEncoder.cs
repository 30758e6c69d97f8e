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
        try
        {
            Parallel.For(0, examples.Count, i =>
            {
                encoded[i] = Encode(examples[i], out bool isCut);
                if (isCut)
                {
                    Interlocked.Increment(ref cut);
                }
            });
        }
        catch (AggregateException several) when (several.InnerExceptions.OfType<UserErrorException>().FirstOrDefault() is UserErrorException one)
        {
            // What is wrong with one example is mostly wrong with many: one message will do.
            throw new UserErrorException(one.Message, one.Hint, several);
        }

        return (encoded, cut);
    }

    private EncodedExample Encode(TaskExample example, out bool isCut)
    {
        EncodedText whole = tokenizer.EncodeForModel(example.Text, example.Pair);
        isCut = whole.Ids.Length > maxLength;
        EncodedText text = isCut ? tokenizer.EncodeForModel(example.Text, example.Pair, maxLength) : whole;
        return text.Ids.Length > 0
            ? new EncodedExample(text.Ids, text.TypeIds, example.Label)
            : new EncodedExample([Boundary], [0], example.Label);
    }

    private int Boundary => tokenizer.DocumentBoundary ?? throw new UserErrorException(
        $"The model's tokenizer has neither [SEP] nor {Tokenizer.EndOfTextToken} to stand for an empty text.",
        "Use a model whose tokenizer has one of them.");
}
