"""The same with FastAPI and SQLAlchemy's ORM over asyncpg."""

import os
from decimal import Decimal

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(
    os.environ.get("BENCH_DSN", "postgresql://none").replace("postgresql://", "postgresql+asyncpg://"),
    pool_size=20,
    max_overflow=0,
)
sessions = async_sessionmaker(engine)
app = FastAPI()


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[Decimal]
    stock: Mapped[int]


class Item(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    name: str
    price: Decimal
    stock: int


@app.get("/bench/items/v1/items/{id}")
async def item(id: int) -> Item:
    async with sessions() as session:
        found = await session.get(Row, id)
    if found is None:
        raise HTTPException(404)
    return Item.model_validate(found)
