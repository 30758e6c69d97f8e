using System.Buffers.Binary;
using System.Text;
using Parquet;
using Parquet.Schema;

namespace Espalier.Data;

/// <summary>Reads the texts of one column of a parquet file, one row group in memory at a time.</summary>
internal static class ParquetTexts
{
    /// <summary>The text of every row; an empty one where there is none.</summary>
    /// <param name="stored">The file.</param>
    /// <param name="path">Its name, for errors.</param>
    /// <param name="column">The column: of strings, or of bytes that are UTF-8.</param>
    /// <exception cref="UserErrorException">The file is damaged or cut off, or has no such column of texts.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Of(Stream stored, string path, string column)
    {
        ParquetReader reader = Try(path, () =>
        {
            WalkFooter(stored);
            return ParquetReader.CreateAsync(stored, leaveStreamOpen: true);
        });
        try
        {
            DataField field = Column(Try(path, () => Task.FromResult(reader.Schema)), path, column);
            for (int group = 0; group < reader.RowGroupCount; group++)
            {
                int number = group;
                foreach (ReadOnlyMemory<byte> text in Try(path, () => TextsOf(reader, number, field, path)))
                {
                    yield return text;
                }
            }
        }
        finally
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    /// <summary>The footer, its length in four bytes, and PAR1 end a file: what they describe must be there.</summary>
    private static void WalkFooter(Stream stored)
    {
        const int Magic = 4, Tail = 8;
        if (stored.Length < Magic + Tail)
        {
            throw new InvalidDataException("it is too short");
        }

        Span<byte> tail = stackalloc byte[Tail];
        stored.Seek(-Tail, SeekOrigin.End);
        stored.ReadExactly(tail);
        long length = BinaryPrimitives.ReadUInt32LittleEndian(tail);
        if (length > stored.Length - Magic - Tail)
        {
            throw new InvalidDataException("its footer is longer than the file");
        }

        byte[] footer = new byte[length];
        stored.Seek(-Tail - length, SeekOrigin.End);
        stored.ReadExactly(footer);
        new ThriftWalk(footer).Walk();
        stored.Position = 0;
    }

    /// <summary>The rows of a group, of which a column that is not nested has a value each.</summary>
    private static int RowsOf(ParquetReader reader, ParquetRowGroupReader rows, int group)
    {
        long count = rows.RowCount;
        return reader.Metadata!.RowGroups[group].Columns.All(column => column.MetaData?.NumValues >= count)
            ? checked((int)count)
            : throw new InvalidDataException($"it claims {count} rows where columns have fewer values");
    }

    private static DataField Column(ParquetSchema schema, string path, string column)
    {
        Field? field = schema.Fields.FirstOrDefault(field => field.Name == column);
        if (field is DataField data && !data.IsArray && (IsString(data) || IsBytes(data)))
        {
            return data;
        }

        string[] texts = [.. schema.Fields.OfType<DataField>().Where(data => !data.IsArray && IsString(data)).Select(data => data.Name)];
        throw new UserErrorException(
            field is null ? $"{path} has no column \"{column}\"."
                : field is DataField { IsArray: false } other ? $"The column \"{column}\" of {path} holds {other.ClrType.Name}, not text."
                : $"The column \"{column}\" of {path} is nested: it holds lists or records, not one text a row.",
            texts.Length > 0 ? $"Columns of text are: {string.Join(", ", texts)}. Name one with --column." : "It has no column of text at all.");
    }

    private static async Task<IReadOnlyList<ReadOnlyMemory<byte>>> TextsOf(ParquetReader reader, int group, DataField field, string path)
    {
        using ParquetRowGroupReader rows = reader.OpenRowGroupReader(group);
        int count = RowsOf(reader, rows, group);
        if (IsString(field))
        {
            var texts = new string?[count];
            await rows.ReadAsync(field, texts.AsMemory()).ConfigureAwait(false);
            return Array.ConvertAll(texts, text => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(text ?? ""));
        }

        var bytes = new byte[]?[count];
        await rows.ReadAsync(field, bytes.AsMemory()).ConfigureAwait(false);
        return Array.ConvertAll(bytes, text =>
        {
            Corpus.RequireUtf8(text, path, offset: 0);
            return (ReadOnlyMemory<byte>)text;
        });
    }

    private static bool IsString(DataField field) => field.ClrType == typeof(ReadOnlyMemory<char>) || field.ClrType == typeof(string);

    private static bool IsBytes(DataField field) => field.ClrType == typeof(ReadOnlyMemory<byte>) || field.ClrType == typeof(byte[]);

    /// <summary>A damaged file makes the reader fail in many ways; all mean the same here.</summary>
    private static T Try<T>(string path, Func<Task<T>> read)
    {
        try
        {
            return read().GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is not (UserErrorException or OutOfMemoryException))
        {
            throw new UserErrorException($"{path} is not a whole parquet file: {e.Message.TrimEnd('.')}.", "Was it copied or downloaded to its end?", e);
        }
    }
}
