using Espalier.Data;

namespace Espalier.Evaluation;

/// <summary>Text to evaluate a model on: its tokens, and how much text they stand for.</summary>
public sealed class EvaluationText : IDisposable
{
    private EvaluationText(TokenShard tokens, DatasetPart size)
    {
        Tokens = tokens;
        Size = size;
    }

    /// <summary>The tokens: before each document the tokenizer's <see cref="Tokenizer.DocumentBoundary"/>, as in training.</summary>
    public TokenShard Tokens { get; }

    /// <summary>The documents, tokens, UTF-8 bytes and words.</summary>
    public DatasetPart Size { get; }

    /// <summary>Opens a text.</summary>
    /// <param name="path">A text file, a folder of them, or a prepared dataset: then its held-out part.</param>
    /// <param name="tokenizer">The tokenizer of the model.</param>
    /// <exception cref="UserErrorException">
    /// There is no text, it is damaged, or the dataset was made with another tokenizer.
    /// </exception>
    public static EvaluationText Open(string path, Tokenizer tokenizer)
    {
        if (!File.Exists(Path.Combine(path, Dataset.FileName)))
        {
            return Tokenize(Corpus.Open([path]), tokenizer);
        }

        Dataset dataset = Dataset.Open(path);
        return dataset.TokenizerFingerprint == tokenizer.Fingerprint
            ? new EvaluationText(dataset.OpenValid(), dataset.Valid)
            : throw new UserErrorException(
                $"The dataset {path} was made with another tokenizer than the model's.",
                "Name the text that the dataset was made from: the model's own tokenizer then encodes it.");
    }

    /// <inheritdoc/>
    public void Dispose() => Tokens.Dispose();

    /// <summary>Encodes a corpus into a shard that lies nowhere: its file is deleted while it is mapped.</summary>
    private static EvaluationText Tokenize(Corpus corpus, Tokenizer tokenizer)
    {
        if (tokenizer.DocumentBoundary is null)
        {
            throw new UserErrorException(
                $"The model's tokenizer has neither {Tokenizer.EndOfTextToken} nor [SEP], so that nothing stands before a text's first token.",
                $"Use a tokenizer.json whose added_tokens name {Tokenizer.EndOfTextToken}.");
        }

        string folder = Directory.CreateTempSubdirectory("espalier-").FullName;
        try
        {
            string path = Path.Combine(folder, "text.shard");
            DatasetPart size = DatasetPart.None;
            using (var writer = new TokenShardWriter(path, tokenizer.VocabularySize, tokenizer.Fingerprint))
            {
                foreach (Document document in corpus.DocumentsFor(tokenizer))
                {
                    TokenizedBatch encoded = TokenizedBatch.Of([(document, true)], tokenizer);
                    writer.Append(encoded.Valid.ToArray());
                    size += encoded.ValidPart;
                }

                writer.Complete();
            }

            return new EvaluationText(TokenShard.Open(path, verify: false), size);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
