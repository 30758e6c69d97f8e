using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Espalier.Data;

/// <summary>
/// Makes a <see cref="Dataset"/> of a corpus. The result depends only on the texts and the options. The folder appears
/// when it is whole; if it is there already and made from the same inputs, it is left as it is.
/// </summary>
/// <remarks>
/// Where inputs have weights, these are their shares of the bytes of the training text, which stays as long as without
/// them: an input with less text repeats its documents, one with more leaves some out, evenly. Held-out documents come
/// once each, and a vocabulary is trained on each training document once.
/// </remarks>
public sealed class CorpusPreparer
{
    private const int BatchBytes = 1 << 20;

    private readonly Corpus _corpus;
    private readonly PreparationOptions _options;
    private readonly Action<DataProgress>? _progress;

    private CorpusPreparer(Corpus corpus, PreparationOptions options, Action<DataProgress>? progress)
    {
        _corpus = corpus;
        _options = options;

        // Counting words does not know how long the corpus is.
        _progress = progress is null ? null : done => progress(done.Total > 0 || done.Done == 0 ? done : done with { Total = corpus.Length });
    }

    /// <summary>Prepares a corpus, unless <paramref name="folder"/> holds the same already.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="folder">The folder to make.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told now and then how far the work has come; called from one thread.</param>
    /// <param name="cancellation">Stops the work, leaving nothing behind.</param>
    /// <returns>The dataset.</returns>
    /// <exception cref="UserErrorException">
    /// The text or the options are no good, the folder holds something else, or it cannot be written.
    /// </exception>
    public static Dataset Prepare(
        Corpus corpus,
        string folder,
        PreparationOptions options,
        Action<DataProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        if (options.Tokenizer is null == options.Training is null)
        {
            throw new UserErrorException("Either a tokenizer or a vocabulary to train is needed, and not both.");
        }

        if (options.HeldOutFraction is not (> 0 and < 1))
        {
            throw new UserErrorException(string.Create(
                CultureInfo.InvariantCulture, $"The held-out share must lie between 0 and 1, and {options.HeldOutFraction} does not."));
        }

        if (options.Tokenizer is { DocumentBoundary: null })
        {
            throw new UserErrorException(
                $"The tokenizer has neither {Tokenizer.EndOfTextToken} nor [SEP], one of which is to stand between documents.");
        }

        try
        {
            return new CorpusPreparer(corpus, options, progress).Prepare(folder, cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"The data cannot be prepared in {folder}: {e.Message}",
                "Free some space, or choose a folder that you may write to.", e);
        }
    }

    private Dataset Prepare(string folder, CancellationToken cancellation)
    {
        DatasetSource[] sources = [.. Sources(cancellation)];
        string inputs = HashOfInputs(sources);
        if (Existing(folder, inputs) is Dataset before)
        {
            return before;
        }

        // Who prepares the same folder at the same time waits, and then finds it done.
        using var folderLock = FolderLock.Wait(
            folder, () => _progress?.Invoke(new DataProgress($"waiting for another process, which prepares {folder}", 0, 0)), cancellation);
        return Existing(folder, inputs) ?? Make(folder, inputs, sources, cancellation);
    }

    private Dataset Make(string folder, string inputs, DatasetSource[] sources, CancellationToken cancellation)
    {
        var split = DocumentSplit.Of(_corpus, _options, cancellation);
        Dataset? dataset = null;
        AtomicFolder.Write(
            folder,
            partial =>
            {
                Tokenizer tokenizer = _options.Tokenizer ?? TrainTokenizer(split, cancellation);
                tokenizer.Save(Path.Combine(partial, Dataset.TokenizerFileName));
                AtomicFile.Write(
                    Path.Combine(partial, TokenizerConfigFile.FileName), TokenizerConfigFile.Of(tokenizer).Indented() + "\n");
                Mixture? mixture = _corpus.Weighted.Count > 0 ? Mixture.Of(_corpus, split, cancellation) : null;
                (DatasetPart train, DatasetPart valid) = WriteShards(
                    partial, tokenizer, mixture?.Documents(tokenizer) ?? split.Assign(_corpus.DocumentsFor(tokenizer)), cancellation);
                dataset = new Dataset
                {
                    Folder = folder,
                    Inputs = inputs,
                    Split = split.InWords,
                    Mixture = mixture?.InWords,
                    VocabularySize = tokenizer.VocabularySize,
                    TokenizerFingerprint = tokenizer.Fingerprint,
                    Train = train,
                    Valid = valid,
                    Sources = sources,
                };
                dataset.Save(partial);
            },
            replace: false);
        return dataset!;
    }

    private Tokenizer TrainTokenizer(DocumentSplit split, CancellationToken cancellation)
    {
        return _options.Training!.Train(Documents(), _progress);

        IEnumerable<Document> Documents()
        {
            foreach ((Document document, bool heldOut) in split.Assign(_corpus.Documents()))
            {
                cancellation.ThrowIfCancellationRequested();
                if (!heldOut)
                {
                    yield return document;
                }
            }
        }
    }

    /// <summary>What was made of the same inputs before; null where there is nothing yet.</summary>
    private static Dataset? Existing(string folder, string inputs)
    {
        if (!Directory.Exists(folder) || !Directory.EnumerateFileSystemEntries(folder).Any())
        {
            return null;
        }

        Dataset existing = File.Exists(Path.Combine(folder, Dataset.FileName))
            ? Dataset.Open(folder)
            : throw new UserErrorException($"{folder} exists and is no dataset.", "Name a folder that does not exist yet.");
        if (existing.Inputs != inputs)
        {
            throw new UserErrorException(
                $"{folder} holds a dataset of other texts, or with another tokenizer or split.",
                "Name another folder, or delete this one.");
        }

        existing.LoadTokenizer();
        existing.OpenTrain().Dispose();
        existing.OpenValid().Dispose();
        return existing;
    }

    private IEnumerable<DatasetSource> Sources(CancellationToken cancellation)
    {
        var buffer = new byte[BatchBytes];
        long done = 0;
        foreach (CorpusFile file in _corpus.Files)
        {
            using FileStream stream = OrdinaryFile.Open(file.Path);
            var checksum = new Crc32(Crc32ParameterSet.Crc32C);
            long length = 0;
            int read;
            while ((read = stream.Read(buffer)) > 0)
            {
                cancellation.ThrowIfCancellationRequested();
                checksum.Append(buffer.AsSpan(0, read));
                length += read;
                _progress?.Invoke(new DataProgress("reading", done + length, _corpus.Length));
            }

            done += length;
            yield return new DatasetSource(file.Name, length, checksum.GetCurrentHashAsUInt32());
        }
    }

    private string HashOfInputs(DatasetSource[] sources)
    {
        string[] parts =
        [
            "1",
            _options.Tokenizer?.Fingerprint ?? _options.Training!.InWords(),
            _options.HeldOutFiles.Count > 0
                ? string.Join('\n', _options.HeldOutFiles)
                : string.Create(CultureInfo.InvariantCulture, $"{_options.HeldOutFraction} {_options.Seed}"),
            _corpus.TextKey,
            .. sources.Select(source => source.ToString()),
            .. _corpus.TextDocuments == TextDocuments.File ? [] : new[] { $"a document a {_corpus.TextDocuments}" },
            .. _corpus.Weighted.Select(input => string.Create(CultureInfo.InvariantCulture, $"{input.Files} weigh {input.Weight:R}")),
        ];
        return Sha256.Of(string.Join('\0', parts));
    }

    private (DatasetPart Train, DatasetPart Valid) WriteShards(
        string folder, Tokenizer tokenizer, IEnumerable<(Document Document, bool HeldOut)> documents, CancellationToken cancellation)
    {
        using TokenShardWriter train = Writer(Dataset.TrainFileName), valid = Writer(Dataset.ValidFileName);
        DatasetPart trainPart = DatasetPart.None, validPart = trainPart;
        var underWay = new Queue<Task<TokenizedBatch>>();
        foreach (List<(Document, bool)> batch in Batches(documents))
        {
            cancellation.ThrowIfCancellationRequested();
            underWay.Enqueue(Task.Run(() => TokenizedBatch.Of(batch, tokenizer), cancellation));
            if (underWay.Count > 2 * Environment.ProcessorCount)
            {
                WriteOldest();
            }
        }

        while (underWay.Count > 0)
        {
            WriteOldest();
        }

        RequireTokens(trainPart, "training");
        RequireTokens(validPart, "held-out");
        train.Complete();
        valid.Complete();
        return (trainPart, validPart);

        TokenShardWriter Writer(string name) =>
            new(Path.Combine(folder, name), tokenizer.VocabularySize, tokenizer.Fingerprint);

        void WriteOldest()
        {
            TokenizedBatch batch = underWay.Dequeue().GetAwaiter().GetResult();
            train.Append(CollectionsMarshal.AsSpan(batch.Train));
            valid.Append(CollectionsMarshal.AsSpan(batch.Valid));
            trainPart += batch.TrainPart;
            validPart += batch.ValidPart;
            _progress?.Invoke(new DataProgress("tokenizing", batch.BytesRead, _corpus.Length));
        }
    }

    /// <summary>A tokenizer may make nothing of a text, as WordPiece does of white space.</summary>
    private static void RequireTokens(DatasetPart part, string name)
    {
        if (part.Tokens == part.Documents)
        {
            throw new UserErrorException(
                $"The {name} text, {part.Bytes} bytes, comes to no token at all.",
                "Hold out other documents, with --holdout or another --holdout-fraction or --seed; or give more text.");
        }
    }

    private static IEnumerable<List<(Document Document, bool HeldOut)>> Batches(
        IEnumerable<(Document Document, bool HeldOut)> documents)
    {
        var batch = new List<(Document Document, bool HeldOut)>();
        int bytes = 0;
        foreach ((Document Document, bool HeldOut) assigned in documents)
        {
            batch.Add(assigned);
            bytes += assigned.Document.Text.Length;
            if (bytes >= BatchBytes)
            {
                yield return batch;
                (batch, bytes) = ([], 0);
            }
        }

        if (batch.Count > 0)
        {
            yield return batch;
        }
    }
}
