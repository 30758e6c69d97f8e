using System.Text.Json;
using System.Text.Json.Serialization;

namespace Espalier.Data;

/// <summary>How much there is of one part of a dataset.</summary>
/// <param name="Documents">Its documents.</param>
/// <param name="Tokens">Its tokens, the <c>&lt;|endoftext|&gt;</c> before each document included.</param>
/// <param name="Bytes">The UTF-8 bytes of its text.</param>
/// <param name="Words">The words of its text: what white space separates.</param>
public sealed record DatasetPart(long Documents, long Tokens, long Bytes, long Words)
{
    internal static DatasetPart None { get; } = new(0, 0, 0, 0);

    /// <summary>Both parts together.</summary>
    public static DatasetPart operator +(DatasetPart a, DatasetPart b) =>
        new(a.Documents + b.Documents, a.Tokens + b.Tokens, a.Bytes + b.Bytes, a.Words + b.Words);
}

/// <summary>A file that a dataset was made from.</summary>
/// <param name="Name">Its name relative to the folder that was named.</param>
/// <param name="Bytes">Its length in bytes, as stored.</param>
/// <param name="Crc32C">The checksum of its content.</param>
public sealed record DatasetSource(string Name, long Bytes, [property: JsonPropertyName("crc32c")] uint Crc32C);

/// <summary>
/// A folder that training reads: <c>tokenizer.json</c>, <c>train.shard</c>, <c>valid.shard</c> and, describing them,
/// <c>dataset.json</c>, which this is. Every document of a shard follows an <c>&lt;|endoftext|&gt;</c>.
/// </summary>
public sealed record Dataset
{
    internal const string FileName = "dataset.json", TokenizerFileName = "tokenizer.json", TrainFileName = "train.shard",
        ValidFileName = "valid.shard";

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
    };

    /// <summary>The folder.</summary>
    [JsonIgnore]
    public string Folder { get; init; } = "";

    /// <summary>SHA-256 of all that the dataset was made from: texts, tokenizer and split.</summary>
    public required string Inputs { get; init; }

    /// <summary>How documents were held out, in words.</summary>
    public required string Split { get; init; }

    /// <summary>The shares of weighted inputs in the training text, in words; null where they have no weights.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Mixture { get; init; }

    /// <summary>The number of tokens in the vocabulary.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The <see cref="Tokenizer.Fingerprint"/> of the tokenizer.</summary>
    public required string TokenizerFingerprint { get; init; }

    /// <summary>The part to train on.</summary>
    public required DatasetPart Train { get; init; }

    /// <summary>The held-out part.</summary>
    public required DatasetPart Valid { get; init; }

    /// <summary>The files it was made from.</summary>
    public required IReadOnlyList<DatasetSource> Sources { get; init; }

    /// <summary>Reads the description of a dataset.</summary>
    /// <exception cref="UserErrorException">The folder is missing or holds no (whole) dataset.</exception>
    public static Dataset Open(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            throw NotThere(folder);
        }

        try
        {
            Dataset? dataset = JsonSerializer.Deserialize<Dataset>(OrdinaryFile.Read(path, most: 1 << 30), Json);
            return dataset is null ? throw NoDataset("it is empty") : dataset with { Folder = folder };
        }
        catch (JsonException e)
        {
            throw NoDataset(BadFile.JsonReason(e), e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw BadFile.Unreadable(path, e);
        }

        UserErrorException NoDataset(string why, Exception? inner = null) =>
            new(
                $"{(inner is null ? path : BadFile.JsonPlace(path, inner))} does not describe a dataset: {why}",
                Again(folder), inner);
    }

    /// <summary>Loads the tokenizer.</summary>
    /// <exception cref="UserErrorException">It is missing, damaged, or not the one that made the tokens.</exception>
    public Tokenizer LoadTokenizer()
    {
        string path = Path.Combine(Folder, TokenizerFileName);
        Tokenizer tokenizer = Tokenizer.Load(path);
        return tokenizer.Fingerprint == TokenizerFingerprint
            ? tokenizer
            : throw new UserErrorException(
                $"{path} is not the tokenizer that made the tokens beside it.", Again(Folder));
    }

    /// <summary>Opens the tokens to train on.</summary>
    /// <exception cref="UserErrorException">They are missing, damaged, or made by another tokenizer.</exception>
    public TokenShard OpenTrain() => OpenShard(TrainFileName, Train.Tokens);

    /// <summary>Opens the held-out tokens.</summary>
    /// <exception cref="UserErrorException">They are missing, damaged, or made by another tokenizer.</exception>
    public TokenShard OpenValid() => OpenShard(ValidFileName, Valid.Tokens);

    /// <summary>Writes the description into a folder.</summary>
    internal void Save(string folder) => AtomicFile.Write(
        Path.Combine(folder, FileName), stream => JsonSerializer.Serialize(stream, this, Json));

    private static string Again(string folder) =>
        $"Delete {folder} and prepare the data again: espalier data prepare ... --out {folder}";

    /// <summary>Says what is in the place of a dataset, and the command that makes one.</summary>
    private static UserErrorException NotThere(string folder)
    {
        const string Vocabulary = "--bpe 8192", Others = "(or --bytes; --wordpiece 8192 for a BERT)";
        if (!Path.Exists(folder))
        {
            return new UserErrorException(
                $"The data folder {folder} does not exist.",
                $"Prepare text into it: espalier data prepare TEXT {Vocabulary} --out {folder} {Others}. The quickstart's data " +
                "comes with `espalier quickstart`, a BERT's with `espalier quickstart --model bert`.");
        }

        string prepared = Path.TrimEndingDirectorySeparator(folder) + "-prepared";
        return !Corpus.IsText(folder)
            ? new UserErrorException(
                $"{folder} is no prepared data: it has no {FileName}.",
                $"Prepare text into a new folder: espalier data prepare TEXT {Vocabulary} --out {prepared} {Others}, and name that one.")
            : new UserErrorException(
                $"{folder} is text that is not prepared: it has no {FileName}.",
                $"Prepare it: espalier data prepare {folder} {Vocabulary} --out {prepared} {Others}, and name {prepared}.");
    }

    private TokenShard OpenShard(string name, long tokens)
    {
        TokenShard shard = TokenShard.Open(Path.Combine(Folder, name));
        if (shard.TokenizerFingerprint == TokenizerFingerprint && shard.Count == tokens)
        {
            return shard;
        }

        shard.Dispose();
        throw new UserErrorException(
            $"{shard.Path} does not belong to the {FileName} beside it.", Again(Folder));
    }
}
