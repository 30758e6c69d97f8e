using System.Globalization;
using System.IO.Enumeration;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Espalier.Data;

/// <summary>
/// Makes a <see cref="Dataset"/> of a corpus. The result depends only on the texts and the options. The folder appears
/// when it is whole; if it is there already and made from the same inputs, it is left as it is.
/// </summary>
public sealed class CorpusPreparer
{
    private const int BatchBytes = 1 << 20;

    private readonly Corpus _corpus;
    private readonly PreparationOptions _options;
    private readonly Action<DataProgress>? _progress;
    private long? _heldOutEnd;

    private CorpusPreparer(Corpus corpus, PreparationOptions options, Action<DataProgress>? progress)
    {
        _corpus = corpus;
        _options = options;

        // Counting words does not know how long the corpus is.
        _progress = progress is null ? null : done => progress(done.Total > 0 ? done : done with { Total = corpus.Length });
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
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
        {
            return Existing(folder, inputs);
        }

        string partial = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)) + ".partial";
        DeleteFolder(partial);
        Directory.CreateDirectory(partial);
        try
        {
            Tokenizer tokenizer = _options.Tokenizer ?? TrainTokenizer(cancellation);
            tokenizer.Save(Path.Combine(partial, Dataset.TokenizerFileName));
            (DatasetPart train, DatasetPart valid) = WriteShards(partial, tokenizer, cancellation);
            var dataset = new Dataset
            {
                Inputs = inputs,
                Split = SplitInWords(),
                VocabularySize = tokenizer.VocabularySize,
                TokenizerFingerprint = tokenizer.Fingerprint,
                Train = train,
                Valid = valid,
                Sources = sources,
            };
            dataset.Save(partial);
            DeleteFolder(folder);
            Directory.Move(partial, folder);
            return dataset with { Folder = folder };
        }
        catch
        {
            DeleteFolder(partial);
            throw;
        }
    }

    private Tokenizer TrainTokenizer(CancellationToken cancellation)
    {
        IEnumerable<Document> documents =
            from assigned in Assigned(_corpus.Documents(), cancellation) where !assigned.HeldOut select assigned.Document;
        return _options.Training!.Train(documents, _progress);
    }

    private static Dataset Existing(string folder, string inputs)
    {
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
            using FileStream stream = File.OpenRead(file.Path);
            uint checksum = 0;
            long length = 0;
            int read;
            while ((read = stream.Read(buffer)) > 0)
            {
                cancellation.ThrowIfCancellationRequested();
                checksum = Crc32C.Append(checksum, buffer.AsSpan(0, read));
                length += read;
                _progress?.Invoke(new DataProgress("reading", done + length, _corpus.Length));
            }

            done += length;
            yield return new DatasetSource(file.Name, length, checksum);
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
        ];
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', parts))));
    }

    private string SplitInWords() => _options.HeldOutFiles.Count > 0
        ? "held out: files named " + string.Join(", ", _options.HeldOutFiles)
        : string.Create(
            CultureInfo.InvariantCulture,
            $"held out: {100 * _options.HeldOutFraction} % of the documents, drawn with seed {_options.Seed}; of a single one, its end");

    /// <summary>The documents, whose pieces stay together, and whether each is held out.</summary>
    private IEnumerable<(Document Document, bool HeldOut)> Assigned(
        IEnumerable<Document> documents, CancellationToken cancellation)
    {
        if (_options.HeldOutFiles.Count == 0 && (_heldOutEnd ??= HeldOutEnd(cancellation)) is long cut and > 0)
        {
            return CutAt(cut, documents, cancellation);
        }

        return Drawn(documents, cancellation);
    }

    private IEnumerable<(Document Document, bool HeldOut)> Drawn(IEnumerable<Document> documents, CancellationToken cancellation)
    {
        long index = -1;
        bool heldOut = false;
        foreach (Document document in documents)
        {
            cancellation.ThrowIfCancellationRequested();
            if (!document.Continues)
            {
                heldOut = IsHeldOut(document, ++index);
            }

            yield return (document, heldOut);
        }
    }

    private static IEnumerable<(Document Document, bool HeldOut)> CutAt(
        long cut, IEnumerable<Document> pieces, CancellationToken cancellation)
    {
        long start = 0;
        foreach (Document piece in pieces)
        {
            cancellation.ThrowIfCancellationRequested();
            int kept = (int)Math.Clamp(cut - start, 0, piece.Text.Length);
            if (kept > 0)
            {
                yield return (piece with { Text = piece.Text[..kept] }, false);
            }

            if (kept < piece.Text.Length)
            {
                yield return (piece with { Text = piece.Text[kept..], Continues = start > cut }, true);
            }

            start += piece.Text.Length;
        }
    }

    private bool IsHeldOut(Document document, long index) => _options.HeldOutFiles.Count > 0
        ? _options.HeldOutFiles.Any(pattern => FileSystemName.MatchesSimpleExpression(
            pattern, pattern.Contains('/') ? document.FileName : Path.GetFileName(document.FileName), ignoreCase: false))
        : new CounterRandom(_options.Seed, RandomPurpose.DocumentSplit, index).NextDouble() < _options.HeldOutFraction;

    /// <summary>
    /// Where the held-out end of the only document begins: at a line, else a word, else any character; 0 where there are
    /// several documents.
    /// </summary>
    private long HeldOutEnd(CancellationToken cancellation)
    {
        long length = 0;
        foreach (Document piece in _corpus.Documents())
        {
            cancellation.ThrowIfCancellationRequested();
            if (length > 0 && !piece.Continues)
            {
                return 0;
            }

            length += piece.Text.Length;
        }

        long cut = (long)(length * (1 - _options.HeldOutFraction)), start = 0, afterSpace = 0, character = cut;
        foreach (Document piece in _corpus.Documents())
        {
            cancellation.ThrowIfCancellationRequested();
            ReadOnlySpan<byte> text = piece.Text.Span;
            int from = (int)Math.Clamp(cut - start, 0, text.Length);
            if (start + from == cut && from < text.Length)
            {
                for (int at = from; at > 0 && (text[at] & 0xC0) == 0x80; at--)
                {
                    character--;
                }
            }

            if (After((byte)'\n') is long afterLine and > 0)
            {
                return afterLine;
            }

            afterSpace = afterSpace > 0 ? afterSpace : After((byte)' ');
            start += text.Length;

            long After(byte separator)
            {
                int found = piece.Text.Span[from..].IndexOf(separator);
                return found >= 0 && start + from + found + 1 < length ? start + from + found + 1 : 0;
            }
        }

        return afterSpace > 0 ? afterSpace : character;
    }

    private (DatasetPart Train, DatasetPart Valid) WriteShards(string folder, Tokenizer tokenizer, CancellationToken cancellation)
    {
        using TokenShardWriter train = Writer(Dataset.TrainFileName), valid = Writer(Dataset.ValidFileName);
        DatasetPart trainPart = DatasetPart.None, validPart = trainPart;
        var underWay = new Queue<Task<TokenizedBatch>>();
        foreach (List<(Document, bool)> batch in Batches(_corpus.DocumentsFor(tokenizer), cancellation))
        {
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

        if (trainPart.Documents == 0 || validPart.Documents == 0)
        {
            throw new UserErrorException(
                trainPart.Documents == 0
                    ? "All documents are held out, and none is left to train on."
                    : $"None of the {trainPart.Documents} documents is held out.",
                _options.HeldOutFiles.Count > 0
                    ? $"Check the pattern of file names to hold out: {string.Join(", ", _options.HeldOutFiles)}."
                    : "With few documents, name the files to hold out rather than a share of them.");
        }

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

    private IEnumerable<List<(Document Document, bool HeldOut)>> Batches(
        IEnumerable<Document> documents, CancellationToken cancellation)
    {
        var batch = new List<(Document Document, bool HeldOut)>();
        int bytes = 0;
        foreach ((Document Document, bool HeldOut) assigned in Assigned(documents, cancellation))
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

    private static void DeleteFolder(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
